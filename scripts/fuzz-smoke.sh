#!/bin/sh
# Runs every fuzz target of the root module for a short time, one after the other:
# go test -fuzz takes one target of one package at a time.
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
	# Not from this loop's input: a test binary may read it.
	$go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "$package" </dev/null
done
