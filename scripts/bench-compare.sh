#!/bin/sh
# Measures kontinue in two checkouts by turns with test/bench, and has benchstat compare
# them: the median and its 95 % confidence interval of each, and whether they differ.
# Both are built before the first run. Needs root, and the programs that
# `make cluster-build` builds.
# usage: scripts/bench-compare.sh OLD NEW RUNS [driver flags]
# A commit becomes a checkout with: git worktree add --detach OLD COMMIT
set -eu

old=$1 new=$2 runs=$3
shift 3
go=${GO:-go}
benchstat=golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for side in old new; do
	eval "checkout=\$$side"
	"$go" -C "$checkout/test/bench" build -o "$scratch/$side" ./driver
done
for run in $(seq "$runs"); do
	# Each side is first every other time: the machine's speed drifts.
	order="old new"
	[ $((run % 2)) -eq 0 ] && order="new old"
	for side in $order; do
		echo "run $run of $runs: $side" >&2
		"$scratch/$side" -runs 1 -styles kontinue -record -out "$scratch/out" "$@" </dev/null
		cat "$scratch/out/figures.txt" >>"$scratch/$side.txt"
	done
done
"$go" run "$benchstat" "$scratch/old.txt" "$scratch/new.txt"
