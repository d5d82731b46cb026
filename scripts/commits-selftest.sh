#!/usr/bin/env bash
# Checks that scripts/commits.sh reports a violation of each rule, in a scratch
# repository with good and bad commits.
#
# usage: scripts/commits-selftest.sh
set -euo pipefail
export LC_ALL=C.UTF-8

check=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/commits.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# Ignore the caller's repository and settings.
unset "${!GIT_@}"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com

commit() { git commit --quiet --allow-empty --message "$1"; }
long=$(printf 'x%.0s' {1..72})
umlauts=$(printf 'ü%.0s' {1..72})

git init --quiet .
git checkout --quiet -b main
commit "a base may have no body"
git tag base

# Good commits, including a merge without a body.
commit "$long"$'\n\nThe subject has 72 characters.'
commit "$umlauts"$'\n\nThe subject has 72 characters in 144 bytes.'
git checkout --quiet -b side base
commit "side: a change"$'\n\nThe reason.\n\nReviewed-by: a <a@example.com>'
git checkout --quiet main
git merge --quiet --no-edit side
git tag good
"$check" base good | grep -qx "commits: 3 checked" || {
	echo "commits-selftest: good commits were not accepted" >&2
	exit 1
}

# breaks WANT MESSAGE: a commit with this message must be reported with WANT.
breaks() {
	git checkout --quiet --detach good
	commit "$2"
	if "$check" base 2>report; then
		echo "commits-selftest: accepted: $2" >&2
		exit 1
	fi
	if [ "$(grep -c "^commits: .*: $1" report)" != 1 ] || [ "$(wc -l <report)" != 1 ]; then
		echo "commits-selftest: want one report, $1:" >&2
		cat report >&2
		exit 1
	fi
}
breaks "the subject has 73 characters" "x$long"$'\n\nThe reason.'
breaks "there is no body" "a change"
breaks "there is no body" $'a change\n\nSigned-off-by: a <a@example.com>'

git checkout --quiet main
git clone --quiet --depth 1 "file://$scratch" shallow
if (cd shallow && "$check" "$(git -C .. rev-parse base)" 2>/dev/null); then
	echo "commits-selftest: accepted a clone without its history" >&2
	exit 1
fi
echo "commits-selftest: each rule is reported"
