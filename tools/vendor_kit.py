"""Make trustquery/web/static/kit from the locked npm package, or with --check prove that it is what that package gives.

The design system's built files are committed, so that nobody who installs or runs this needs npm. What is changed on
the way is here: the remote typeface goes (its address is refused by our policy anyway, and it is not ours to use),
source maps are not shipped, and images are found beside the style sheet.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tests/peers/web/node_modules/nhsuk-frontend"
KIT = ROOT / "trustquery/web/static/kit"
_FACE = re.compile(r"@font-face\{[^}]*\}")
_MAP = re.compile(r"\s*(/\*|//)# sourceMappingURL=\S+( \*/)?\s*$")
_IMAGE = re.compile(r"url\(/assets/images/([a-z-]+\.svg)\)")


def made(package: Path) -> dict[str, bytes]:
    """What the kit folder holds, by name.

    Args:
        package: the npm package as `npm ci` put it there.

    Raises:
        ValueError: the style sheet would still load something from elsewhere.
    """
    dist = package / "dist/nhsuk"
    css = _MAP.sub("\n", _FACE.sub("", (dist / "nhsuk-frontend.min.css").read_text(encoding="utf-8")))
    images = sorted(set(_IMAGE.findall(css)))
    css = _IMAGE.sub(r"url(\1)", css)
    if "//" in css.replace("http://www.w3.org/2000/svg", ""):
        raise ValueError("the style sheet names another host")
    script = _MAP.sub("\n", (dist / "nhsuk-frontend.min.js").read_text(encoding="utf-8"))
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    files = {name: (dist / "assets/images" / name).read_bytes() for name in images}
    return files | {
        "nhsuk.css": css.encode(),
        "nhsuk.js": script.encode(),
        "version.txt": f"nhsuk-frontend {version}\n".encode(),
    }


def main() -> int:
    """Write the folder, or compare it; 3 where it differs."""
    wanted = made(PACKAGE)
    if "--check" not in sys.argv:
        KIT.mkdir(parents=True, exist_ok=True)
        for name, content in wanted.items():
            (KIT / name).write_bytes(content)
        return 0
    found = {path.name: path.read_bytes() for path in KIT.iterdir() if path.name != "LICENCE.txt"}
    different = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    for name in different:
        print(f"{KIT.relative_to(ROOT)}/{name}: not what the locked package gives; run 'make kit'")
    return 3 if different else 0


if __name__ == "__main__":
    sys.exit(main())
