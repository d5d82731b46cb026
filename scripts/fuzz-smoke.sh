#!/bin/sh
# Runs every fuzz target of the root module for a short time, one after another,
# because go test -fuzz takes a single target of a single package.
# usage: scripts/fuzz-smoke.sh [duration]      (from the module's root)
set -eu

duration=${1:-10s}
go=${GO:-go}

found=$(grep -rE '^func Fuzz[A-Za-z0-9_]*\(' --include='*_test.go' --exclude-dir=testdata --exclude-dir=test . |
	sed -E 's|/[^/]*_test\.go:func (Fuzz[A-Za-z0-9_]*)\(.*| \1|' | sort)
if [ -z "$found" ]; then
	echo "no fuzz target found" >&2
	exit 1
fi
echo "$found" | while read -r package target; do
	echo "fuzzing $package $target for $duration"
	# A test binary must not read the input of this loop.
	$go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "$package" </dev/null
done
