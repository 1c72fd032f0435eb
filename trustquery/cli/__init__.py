"""``tq``: the analyst's, the committee's and the root holders' command line. Heavy packages load when they are used."""
