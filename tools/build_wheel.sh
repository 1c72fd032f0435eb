#!/bin/sh
# Build the wheel twice - here, and in a copy elsewhere with another umask and time zone - and require the same bytes.
# The wheel is left in dist/. The only clock in it is the last commit's, so anyone with the commit can build it again.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# With no commit yet: 1 January 1980, the earliest time a zip file can hold.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 315532800)
export SOURCE_DATE_EPOCH

rm -rf dist
"$root/.venv/bin/python" -m hatchling build --target wheel --directory dist >/dev/null

git ls-files --cached --others --exclude-standard -z | tar --null --files-from=- --ignore-failed-read -cf - | tar -C "$copy" -xf -
(
  cd "$copy"
  # hatchling asks git which files are ignored, so the copy needs the same .gitignore and no repository.
  umask 077
  TZ=Pacific/Kiritimati "$root/.venv/bin/python" -m hatchling build --target wheel --directory out >/dev/null
)

wheel=$(basename dist/*.whl)
if ! cmp "dist/$wheel" "$copy/out/$wheel"; then
  echo "wheel: the two builds differ" >&2
  exit 1
fi
echo "wheel: built twice, same bytes"
(cd dist && sha256sum "$wheel")
