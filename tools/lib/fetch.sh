# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Shared by the tools/fetch-*.sh scripts; to be sourced, with `set -eu` in force.
#
# Packages of another Debian suite or architecture are reached through a private apt root: lists, cache and sources of our
# own, the machine's own mirror and Debian's keyring. The machine's apt configuration (proxy, credentials, timeouts) applies;
# its sources, lists and installed packages are never touched.

cache=${UNDERCROFT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/undercroft}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Every step is checked by `set -e`, which a caller's `||` or `if` would switch off: what a failure means is told on exit instead.
on_failure() { hint=$*; trap '[ $? = 0 ] || say "$hint"' EXIT; }

say() { echo "$(basename "$0"): $*" >&2; }

# The base address of the mirror this machine takes Debian itself from (not the security or a third party's archive).
mirror() {
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  apt-get indextargets --format '$(RELEASE) $(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Component: main' |
    awk -v codename="$codename" '$1 == codename || $2 == codename { print $3; found = 1; exit } END { exit !found }'
}

# apt_root NAME ARCHITECTURE STATUS SUITE...: makes the private root NAME and reads the package lists of its suites. STATUS
# is the dpkg status file that says what counts as installed.
apt_root() {
  root=$cache/apt/$1 architecture=$2 status=$3
  shift 3
  uri=$(mirror) || { say "apt on this machine is configured for no Debian mirror"; return 1; }
  mkdir -p "$root/lists/partial" "$root/archives/partial"
  for suite; do
    echo "deb [signed-by=$keyring] $uri $suite main"
  done >"$root/sources.list"
  cat >"$root/apt.conf" <<END
Dir::Etc::sourcelist "$root/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::Lists "$root/lists";
Dir::State::status "$status";
Dir::State::extended_states "$root/extended_states";
Dir::Cache "$root";
Dir::Cache::archives "$root/archives";
APT::Architecture "$architecture";
#clear APT::Architectures;
APT::Architectures { "$architecture"; };
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
END
  apt_get update
}

# Runs apt-get in the root made last, twice if need be, for mirrors are away now and then; its chatter goes to stderr, because
# stdout is for the folder a script prints.
apt_get() { apt_get_once "$@" || { sleep 20; apt_get_once "$@"; }; }
apt_get_once() { apt-get -qq -c "$root/apt.conf" "$@" </dev/null >&2; }

# The real package that the meta package $1 depends on and whose name starts with $2.
dependency() { apt-cache -c "$root/apt.conf" depends "$1" | sed -n "s/^ *Depends: \($2.*\)/\1/p" | head -n 1; }

# unpack PACKAGE...: downloads packages (apt verifies them against the signed lists) and unpacks them in ./unpacked.
unpack() {
  mkdir -p unpacked
  apt_get download "$@"
  for deb in *.deb; do dpkg -x "$deb" unpacked; done
  rm -f ./*.deb
}

intact() { [ -f "$cache/$1/SHA256SUMS" ] && (cd "$cache/$1" && sha256sum --quiet --check SHA256SUMS >/dev/null 2>&1); }

# cached NAME FUNCTION [ARGUMENT]: prints the folder NAME of the cache. Where it is absent or damaged, FUNCTION first fills a new
# one, which is its working directory; the folder appears whole or not at all, however many ask at once and whoever is
# interrupted.
cached() {
  mkdir -p "$cache"
  if ! intact "$1"; then
    (
      flock 9
      if ! intact "$1"; then
        rm -rf "${cache:?}/$1.new"
        mkdir "$cache/$1.new"
        cd "$cache/$1.new"
        "$2" ${3+"$3"}
        find . -type f -print0 | sort -z | xargs -0 sha256sum >"../$1.sums"
        mv "../$1.sums" SHA256SUMS
        rm -rf "${cache:?}/$1"
        mv "$cache/$1.new" "$cache/$1"
      fi
    ) 9>"$cache/$1.lock"
  fi
  echo "$cache/$1"
}

# newer_suites: where what Debian 12 lacks comes from, in order of preference: Debian 13, and the suite after it for the days on
# which a mirror carries lists of Debian 13 that do not match their signature.
newer_suites=${UNDERCROFT_SUITES:-trixie forky}

# from_newer_suite NAME FUNCTION: prints the first folder NAME-SUITE that the cache holds, else the first that can be fetched.
from_newer_suite() {
  for suite in $newer_suites; do
    if intact "$1-$suite"; then
      echo "$cache/$1-$suite"
      return
    fi
  done
  for suite in $newer_suites; do
    set +e
    (set -e; cached "$1-$suite" "$2" "$suite")
    status=$?
    set -e
    [ $status != 0 ] || return 0
    say "$1 cannot be had from Debian's $suite"
  done
  return 1
}
