# images/offline/lib.sh: what the scripts here share. Each makes one public tag locally, and only when no pull brings it.
set -eu
FARM_CACHE=${FARM_CACHE:-$HOME/.cache/nodefarm}
offline="$FARM_CACHE/offline"
mkdir -p "$offline"

# present TAG: it is on this host, or a pull brings it.
present() {
  docker image inspect "$1" >/dev/null 2>&1 || timeout 600 docker pull --quiet "$1" >/dev/null 2>&1
}

# once TAG: from here on nobody else makes this tag; ends the script where it is present.
once() {
  exec 9>"$offline/$(echo "$1" | tr '/:' '__').lock"
  flock 9
  ! present "$1" || exit 0
  echo "No registry gives $1; making a stand-in ..."
}

fail() { echo "$*" >&2; exit 1; }

# need COMMAND PACKAGE: install it from Debian where we may.
need() {
  command -v "$1" >/dev/null && return 0
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "$1 is missing: install the Debian package $2."
  export DEBIAN_FRONTEND=noninteractive
  { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$2"; } >/dev/null </dev/null
}

# fetch SUITE PACKAGE...: unpack Debian packages of that suite into $offline/SUITE/root. Lists and state of apt are our
# own, so the host keeps its suite; the mirror is the one that the host uses.
fetch() {
  local suite=$1 home="$offline/$1" mirror
  shift
  command -v apt-get >/dev/null || fail "Without apt-get these have to be installed by hand: $*"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m1 '/debian/*$') ||
    mirror=$(sed -n 's/^ *\(URIs: *\|deb \(\[[^]]*\] \)\?\)\(http[^ ]*\/debian\/*\).*/\3/p' \
      /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
  [ -n "$mirror" ] || fail "No Debian mirror is configured on this host; install by hand: $*"
  mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/deb" "$home/root"
  echo "deb $mirror $suite main" >"$home/sources.list"
  local apt=(apt-get -qq -o "Dir::Etc::SourceList=$home/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$home/lists" -o "Dir::Cache=$home/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update >/dev/null
  (cd "$home/deb" && "${apt[@]}" download "$@" >/dev/null)
  local package
  for package in "$home"/deb/*.deb; do dpkg-deb -x "$package" "$home/root"; done
  rm -rf "$home/deb" "$home/lists" "$home/cache"
}
