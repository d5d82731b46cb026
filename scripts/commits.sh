#!/usr/bin/env bash
# Checks the messages of commits: a subject of at most 72 characters, and a body that
# says why. Trailers such as Signed-off-by do not count as a body. Merge commits are
# exempt.
#
# usage: scripts/commits.sh BASE [HEAD]    the commits after BASE, up to HEAD
set -euo pipefail
export LC_ALL=C.UTF-8 # count characters, not bytes

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: scripts/commits.sh BASE [HEAD]" >&2
	exit 2
fi
base=$1
head=${2:-HEAD}
max=72

# In a shallow clone the base or commits after it are missing.
if ! git merge-base --is-ancestor "$base" "$head"; then
	echo "commits: $base is not an ancestor of $head: fetch the whole history" >&2
	exit 2
fi

checked=0
bad=0
report() {
	bad=$((bad + 1))
	printf 'commits: %s %s: %s\n' "${1:0:12}" "$2" "$3" >&2
}
commits=$(git rev-list --no-merges --reverse "$base..$head")
for commit in $commits; do
	checked=$((checked + 1))
	subject=$(git show --no-patch --format=%s "$commit")
	if [ ${#subject} -gt $max ]; then
		report "$commit" "$subject" "the subject has ${#subject} characters, and at most $max are allowed"
	fi
	body=$(git show --no-patch --format=%b "$commit" | sed -E '/^[A-Z][A-Za-z]*(-[A-Za-z]+)+: /d')
	if [ -z "${body//[[:space:]]/}" ]; then
		report "$commit" "$subject" "there is no body that says why"
	fi
done
if [ $bad -gt 0 ]; then
	exit 1
fi
echo "commits: $checked checked"
