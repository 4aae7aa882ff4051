# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What every script which needs Debian packages or the cache shares. Source it
# from bash; it defines functions and DEFPAGER_CACHE and does nothing else.
#
#   say MESSAGE...            to stderr, after the script's name
#   die MESSAGE...            the same, then exit with DIE_STATUS (1)
#   need_packages PACKAGE...  install the Debian packages which are missing
#   download_package SPEC DIR fetch PACKAGE[=VERSION] into DIR, not installing it
#   with_lock NAME COMMAND... one at a time per user; COMMAND, which may be a
#                             function, runs in a subshell

# Absolute, because the scripts change directory and the guest sees it too.
DEFPAGER_CACHE=$(realpath -m -- \
	"${DEFPAGER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/defpager}")

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$@"
	exit "${DIE_STATUS:-1}"
}

# Two runs at a time are normal; two of apt, or two of the same build, are not.
with_lock() {
	local name=$1 fd ret

	shift
	mkdir -p -- "$DEFPAGER_CACHE"
	exec {fd}>"$DEFPAGER_CACHE/$name.lock"
	flock "$fd"
	# A daemon which COMMAND leaves behind must not keep the lock. Without an
	# "||" here, "set -e" goes on working inside COMMAND.
	(exec {fd}>&- && "$@")
	ret=$?
	exec {fd}>&-
	return "$ret"
}

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		die "need root (or sudo) to run: $*"
	fi
}

# Nothing is shown of a command which succeeds.
quietly() {
	local output ret=0

	output=$("$@" 2>&1 </dev/null) || ret=$?
	((ret == 0)) || printf '%s\n' "$output" >&2
	return "$ret"
}

apt_update() {
	say "reading the package lists anew"
	quietly as_root apt-get -q update
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 --no-install-recommends \
		install "$@" </dev/null 2>&1
}

package_installed() {
	[[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

install_packages() {
	# Missing or outdated lists show as a failure of the first attempt (no
	# such package, or 404), whose complaints are then of no interest.
	apt_install "$@" >/dev/null && return
	if ! apt_update || ! quietly apt_install "$@"; then
		die "cannot install $*"
	fi
}

need_packages() {
	local package missing=()

	for package; do
		package_installed "$package" || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	say "installing ${missing[*]}"
	with_lock apt install_packages "${missing[@]}" || exit
}

# Run as root, apt would warn that its unprivileged user cannot write to DIR.
apt_download() (
	cd -- "$2" && apt-get -q -o APT::Sandbox::User=root download "$1" 2>&1
)

# As for installing, a failure may only mean that the lists are outdated.
# The caller decides what a missing package means.
download_package() {
	say "downloading ${1%%=*}"
	with_lock apt apt_download "$@" >/dev/null && return
	with_lock apt apt_update || return
	with_lock apt apt_download "$@" >/dev/null
}
