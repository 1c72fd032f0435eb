"""How far answers are from the truth: chosen bounds, a fixed bound of five, and SmartNoise SQL, at equal epsilon."""
