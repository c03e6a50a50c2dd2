"""The README and the guides in docs/ say what is there."""

import re

from tests.helpers import PROJECT

README = (PROJECT / "README.md").read_text()
GUIDES = [PROJECT / "README.md", PROJECT / "NOTICE.md", *sorted((PROJECT / "docs").glob("*.md"))]


def anchor(heading: str) -> str:
    """What GitHub calls a heading in a link."""
    return re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")


def broken_links(text: str, folder) -> list[str]:
    """The links and pictures of a guide that lead nowhere, other than those to the internet."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, fragment = link.partition("#")
        if re.match(r"https?:", link):
            continue
        target = folder / path if path else None
        linked = text if target is None else target.read_text() if target.suffix == ".md" else ""
        headings = map(anchor, re.findall(r"^#+ (.+)$", linked, re.M))
        if (target and not target.exists()) or (fragment and fragment not in headings):
            broken.append(link)
    return broken


def test_the_readme_is_short_and_what_it_names_is_there():
    commands = re.findall(r"^## .+\n\n```sh\n(.+)\n```$", README, re.M)
    assert commands == [
        "pip install -r requirements.txt && streamlit run dashboard.py",
        "pip install -r requirements.txt && pytest",
    ]
    assert len(README.splitlines()) <= 110
    mapped = re.findall(r"^(\S+\.\w+|\S+/) {2,}\S", README, re.M)
    assert {"dashboard.py", "pages/", "mnist_core/", "tests/", "docs/"} <= {*mapped}
    assert [name for name in mapped if not (PROJECT / name).exists()] == []


def test_every_link_in_the_guides_leads_somewhere():
    assert {
        guide.name: broken
        for guide in GUIDES
        if (broken := broken_links(guide.read_text(), guide.parent))
    } == {}
    for guide in (PROJECT / "docs").glob("*.md"):
        assert f"(docs/{guide.name})" in README, "the README says where to read on"


def test_every_setting_the_code_reads_is_explained():
    code = "".join(
        path.read_text()
        for name in ("mnist_core", "pages")
        for path in (PROJECT / name).rglob("*.py")
    )
    settings = {*re.findall(r'"(MNIST_[A-Z_]+|DASK_[A-Z_]+)"', code)}
    guide = (PROJECT / "docs" / "hosting.md").read_text()
    assert [setting for setting in sorted(settings) if f"| `{setting}` |" not in guide] == []


def test_the_guide_to_hosting_names_what_the_container_has():
    guide = (PROJECT / "docs" / "hosting.md").read_text()
    dockerfile = (PROJECT / "Dockerfile").read_text()
    for both in ("/data", "8501", "10001"):
        assert both in guide
        assert both in dockerfile
    assert "-r requirements-cluster.txt" in dockerfile
    cluster = (PROJECT / "requirements-cluster.txt").read_text()
    (driver,) = re.findall(r"^psycopg.+", cluster, re.M)
    assert f"`{driver}`" in guide


def test_every_fault_in_the_docs_is_tried_by_a_test_that_is_there():
    rows = [
        line.strip("|").split("|")
        for line in (PROJECT / "docs" / "faults.md").read_text().splitlines()
        if line.startswith("|")
    ][2:]
    assert len(rows) >= 15
    tests = "".join(path.read_text() for path in (PROJECT / "tests").rglob("test_*.py"))
    for fault, _, tried in rows:
        name = tried.strip().strip("`")
        assert name == "by the soak alone" or f"def {name}(" in tests, fault
