# What script/server and script/test share: how the machine is made ready. Sourced by bash, as root.
#
# A package is asked for by what it brings (a command or a file), so a program from elsewhere counts
# too and nothing but the shell looks while all is there.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$checkout/.venv
policy=/usr/sbin/policy-rc.d
kept_policy=$policy.before-apiserver
install_lock=/run/apiserver-install.lock
policy_mark='made by apiserver while it installs packages'
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/bin

missing=()         # packages to install
declare -A reason  # package -> why it is needed
declare -A probes  # package -> what it brings, any of them

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

present() {  # PROBE...: any of these commands (or absolute paths) is there
    local probe
    for probe in "$@"; do
        case $probe in
        /*) [ -e "$probe" ] ;;
        *) command -v "$probe" >/dev/null ;;
        esac && return 0
    done
    return 1
}

need() {  # PACKAGE "PROBE..." REASON
    reason[$1]=$3
    probes[$1]=$2
    # shellcheck disable=SC2086  # probes are words
    present $2 || missing+=("$1")
}

need_for_serving() {
    need crun crun 'starts the processes of containers (OCI runtime)'
    need runc runc 'starts the processes of containers where crun cannot: with hybrid cgroups'
    need conmon conmon 'stays with each container: its output, its log, its exit code'
    need netavark 'netavark /usr/lib/podman/netavark /usr/libexec/podman/netavark' 'connects containers to networks'
    need aardvark-dns 'aardvark-dns /usr/lib/podman/aardvark-dns /usr/libexec/podman/aardvark-dns' 'answers names in networks'
    need nftables nft 'netavark 1.10 and newer makes the rules of networks and published ports with it'
    need iptables iptables 'netavark before 1.10 makes the rules of networks and published ports with it'
    need skopeo skopeo 'brings images into the image store'
    need buildah buildah 'tags and removes images'
    need golang-github-containers-common /usr/share/containers/seccomp.json 'the default seccomp profile and signature policy'
    need procps ps 'shows what runs in a container'
    need catatonit 'catatonit /usr/libexec/podman/catatonit' 'is the first process of a container that asks for an init'
}

need_python() {
    reason[python3]='runs the service (3.11 or newer)'
    reason[python3-venv]='makes the virtual environment that the service is installed in'
    probes[python3]=python3
    probes[python3-venv]=
    [ -x "$venv/bin/pip" ] && [ -x "$venv/bin/python" ] && return
    if ! present python3; then
        missing+=(python3 python3-venv)
    elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        missing+=(python3-venv)
    fi
}

# --- no daemon starts because of us ---------------------------------------------------------------

restore_policy() {
    rm -f "$policy.new"
    if [ -e "$kept_policy" ] || [ -L "$kept_policy" ]; then
        mv -f "$kept_policy" "$policy"
    elif [ -f "$policy" ] && grep -q "$policy_mark" "$policy"; then
        rm -f "$policy"
    fi
}

policy_left_behind() {  # by a run that was killed
    [ -e "$kept_policy" ] || [ -L "$kept_policy" ] || { [ -f "$policy" ] && grep -q "$policy_mark" "$policy"; }
}

forbid_daemons() {
    trap restore_policy EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if [ -e "$policy" ] || [ -L "$policy" ]; then
        mv "$policy" "$kept_policy"
    fi
    printf '#!/bin/sh\n# %s: no daemon may start\nexit 101\n' "$policy_mark" >"$policy.new"
    chmod 755 "$policy.new"
    mv "$policy.new" "$policy"
}

allow_daemons() {
    restore_policy
    trap - EXIT HUP INT TERM
}

# --- packages -------------------------------------------------------------------------------------

apt() {
    # stdout is for whoever runs the script: the closing line of the tests, the way to point a client here
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

with_install_lock() {  # two scripts at once would mix up each other's policy-rc.d
    exec 9>"$install_lock"
    flock 9
    "$@"
    exec 9>&-
}

install_by_apt() {
    local package
    restore_policy  # whatever is left behind now is nobody's
    forbid_daemons
    apt update || say 'apt-get update failed; trying with the lists that are there'
    if ! apt install -y --no-install-recommends "${missing[@]}"; then
        for package in "${missing[@]}"; do  # one bad package must not keep the others away
            apt install -y --no-install-recommends "$package" || failed+=("$package")
        done
    fi
    allow_daemons
}

install_missing() {  # sets `failed` to the packages that could not be installed
    local package
    failed=()
    if policy_left_behind; then
        with_install_lock restore_policy
    fi
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! present apt-get; then
        failed=("${missing[@]}")
    else
        say "Installing ${missing[*]}"
        with_install_lock install_by_apt
    fi
    for package in "${failed[@]}"; do
        say "Cannot install $package, which ${reason[$package]}"
    done
}

# --- the virtual environment ----------------------------------------------------------------------

install_package() {  # [EXTRA]: this checkout, editable, in .venv
    local extra=${1:-} stamp=$venv/.installed${1:+-$1} state
    [ -x "$venv/bin/pip" ] && "$venv/bin/python" -c '' 2>/dev/null || make_venv
    # What the installation depends on: what we require, which Python, and where the checkout lies.
    state="$(sha256sum <"$checkout/pyproject.toml") $(readlink -f "$venv/bin/python") $checkout"
    if ! { [ -f "$stamp" ] && [ "$(<"$stamp")" = "$state" ]; }; then
        say "Installing apiserver${extra:+[$extra]} in $venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --use-pep517 \
            --editable "$checkout${extra:+[$extra]}" >&2 ||
            die 'Cannot install the Python packages that pyproject.toml names; pip says why above'
        printf '%s' "$state" >"$stamp"
    fi
    compile_checkout
}

compile_checkout() {
    # pip compiles what it installs, not what it only points to. Where PYTHONDONTWRITEBYTECODE is set, or the service
    # may not write here, each start would compile all modules anew: 0.2 s and more. A module that is edited later is
    # newer than what was compiled of it, and counts.
    "$venv/bin/python" -m compileall -q "$checkout/apiserver" "$checkout/twisted" >&2 ||
        die "Some modules in $checkout cannot be compiled; Python names them above"
}

make_venv() {
    present python3 || die "There is no python3, which ${reason[python3]}"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "Python 3.11 or newer is needed, $(command -v python3) is $(python3 -V)"
    python3 -m venv --clear "$venv" >&2 || die "Cannot make the virtual environment $venv"
}

must_be_root() {
    [ "$(id -u)" = 0 ] || die "Run this as root: sudo $0"
}
