#!/bin/sh
# Checks that .golangci.yml reports a violation of each house rule.
#
# A linter that matches no file is as quiet as one that finds nothing. So this
# plants violations in a scratch module of the same name and layout, each line
# with a comment "want LINTER", runs the linter with the real configuration, and
# fails unless exactly those lines are reported, by those linters. Third-party
# modules are stubs: only their import paths matter here.
#
# usage: scripts/lint-selftest.sh path/to/golangci-lint path/to/.golangci.yml
set -eu

linter=$1
config=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
cp "$config" "$scratch/.golangci.yml"
cd "$scratch"

module=github.com/kontinue/kontinue

# plant FILE: writes standard input to the file.
plant() {
	mkdir -p "$(dirname "$1")"
	cat >"$1"
}

# imports FILE PACKAGE: a file that imports what the lines of standard input
# name: a path, and the linter that must report it, if one must.
imports() {
	mkdir -p "$(dirname "$1")"
	{
		printf '// Package %s is planted.\npackage %s\n\nimport (\n' "$2" "$2"
		while read -r path want; do
			printf '\t_ "%s" // planted%s\n' "$path" "${want:+ want $want}"
		done
		printf ')\n'
	} >"$1"
}

# stub MODULE PACKAGE...: an empty third-party module with these packages.
stub() {
	stub=$1
	shift
	mkdir -p "stubs/$stub"
	printf 'module %s\n\ngo 1.26\n' "$stub" >"stubs/$stub/go.mod"
	for package; do
		mkdir -p "stubs/$stub/$package"
		printf 'package stub\n' >"stubs/$stub/$package/stub.go"
	done
	case $stub in */v2) version=v2.0.0 ;; *) version=v0.0.0 ;; esac
	printf 'require %s %s\nreplace %s => ./stubs/%s\n' "$stub" "$version" "$stub" "$stub" >>go.mod
}

printf 'module %s\n\ngo 1.26\n' "$module" >go.mod
stub go.uber.org/fx .
stub go.uber.org/goleak .
stub github.com/stretchr/testify require assert
stub k8s.io/apimachinery pkg/types pkg/labels
stub k8s.io/client-go kubernetes
stub k8s.io/klog/v2 .
printf 'package klog\n\nfunc Info(...any) {}\n\nfunc NewContext() {}\n' >stubs/k8s.io/klog/v2/stub.go

# The arrows.
imports root.go kontinue <<EOF
$module/dispatch
$module/internal/identity
$module/jobs
$module/logs
$module/pods
$module/watch
$module/internal/causes
$module/internal/flight
$module/internal/kubeclient
$module/internal/step
$module/internal/record depguard
$module/internal/fakecluster depguard
$module/internal/simtest depguard
$module/kontinuetest depguard
go.uber.org/fx depguard
k8s.io/client-go/kubernetes
EOF
for part in jobs logs pods watch; do
	other=pods
	if [ "$part" = pods ]; then other=jobs; fi
	imports "$part/part.go" "$part" <<-EOF
		$module/internal/identity
		$module/$other depguard
		$module/internal/fakecluster depguard
		k8s.io/client-go/kubernetes
	EOF
	imports "$part/part_test.go" "${part}_test" <<-EOF
		$module/$part
		$module/internal/fakecluster
		$module/internal/fakecluster/apiserver
		$module/$other depguard
		github.com/stretchr/testify/require
		github.com/stretchr/testify/assert depguard
		go.uber.org/goleak
	EOF
	# The import cycle that these two would make is cut here.
	if [ "$part" = jobs ]; then sed -i "/kontinue\/pods/d" jobs/part.go; fi
done
imports dispatch/part.go dispatch <<EOF
$module/internal/identity
$module/logs depguard
k8s.io/apimachinery/pkg/types
k8s.io/apimachinery/pkg/labels depguard
k8s.io/client-go/kubernetes depguard
EOF
imports internal/step/step.go step <<EOF
$module/internal/identity
$module/internal/record
$module/dispatch
$module/internal/kubeclient depguard
$module/internal/fakecluster depguard
EOF
imports internal/flight/flight.go flight <<EOF
$module/internal/step
$module/internal/kubeclient depguard
EOF
imports internal/causes/causes.go causes <<EOF
$module/internal/plain
$module/pods
$module/internal/step depguard
EOF
imports internal/record/record.go record <<EOF
$module/internal/identity depguard
k8s.io/client-go/kubernetes depguard
EOF
imports internal/apicall/apicall.go apicall <<EOF
$module/internal/identity depguard
k8s.io/client-go/kubernetes
EOF
imports internal/redact/redact.go redact <<EOF
$module/internal/identity depguard
EOF
imports internal/preflight/check.go preflight <<EOF
k8s.io/client-go/kubernetes
$module/internal/apicall depguard
EOF
imports internal/plain/plain.go plain <<EOF
$module/internal/identity depguard
EOF
imports internal/podtemplate/podtemplate.go podtemplate <<EOF
$module/internal/identity
$module/internal/plain depguard
k8s.io/apimachinery/pkg/labels
EOF
imports internal/files/files.go files <<EOF
$module/internal/identity depguard
EOF
imports internal/listwatch/listwatch.go listwatch <<EOF
$module/internal/apicall
$module/internal/plain
$module/internal/identity depguard
EOF
imports internal/kubeclient/kubeclient.go kubeclient <<EOF
$module/internal/listwatch
$module/internal/identity depguard
EOF
imports internal/identity/identity.go identity <<EOF
k8s.io/apimachinery/pkg/types
k8s.io/client-go/kubernetes depguard
$module/internal/fakecluster depguard
EOF
imports internal/fakecluster/fakecluster.go fakecluster <<EOF
$module/internal/fakecluster/apiserver
k8s.io/client-go/kubernetes
EOF
imports internal/fakecluster/apiserver/server.go apiserver <<EOF
k8s.io/client-go/kubernetes
$module/kontinuetest depguard
EOF
imports internal/scenarios/run.go scenarios <<EOF
$module/internal/simtest depguard
EOF
# The root package is left out, since it would be an import cycle.
imports internal/simtest/world.go simtest <<EOF
$module/internal/fakecluster/apiserver
$module/jobs depguard
github.com/stretchr/testify/require
github.com/stretchr/testify/assert depguard
EOF
imports internal/simtest/durability/durability_test.go durability_test <<EOF
$module
$module/internal/scenarios
$module/internal/simtest
$module/logs
$module/watch depguard
go.uber.org/goleak
EOF
imports kontinuetest/kit.go kontinuetest <<EOF
github.com/stretchr/testify/require
github.com/stretchr/testify/assert depguard
EOF
imports watch/fx.go watch <<EOF
go.uber.org/fx
$module/logs depguard
EOF
imports examples/fxworker/main.go main <<EOF
go.uber.org/fx
$module/internal/fakecluster
$module/internal/simtest depguard
log depguard
EOF
printf '\nfunc main() {}\n' >>examples/fxworker/main.go
imports jobs/third.go jobs <<EOF
github.com/stretchr/testify/require depguard
go.uber.org/goleak depguard
go.uber.org/fx depguard
log depguard
math/rand depguard
EOF

# The other rules, in library code.
plant pods/rules.go <<'EOF'
package pods

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	clock "time"

	"k8s.io/klog/v2"
)

func Bare() error { return nil } // planted want revive

// Named lacks nothing.
type Named struct{}

func (Named) Bare() {} // planted want revive

var errPlanted = errors.New("planted")

var global = map[string]int{}

func init() { // planted want gochecknoinits
	global["a"] = 1
}

// Rules breaks them.
func Rules(ctx context.Context, log *slog.Logger, err error) error {
	clock.Sleep(clock.Second)              // planted want forbidigo
	fmt.Println("loud")                    // planted want forbidigo
	klog.Info("elsewhere") // planted want forbidigo
	klog.NewContext()
	_ = context.TODO()                     // planted want forbidigo
	slog.InfoContext(ctx, "global")        // planted want sloglint
	log.InfoContext(ctx, fmt.Sprint("dynamic")) // planted want sloglint
	if err == errPlanted {                 // planted want errorlint
		os.Exit(1) // planted want forbidigo
	}
	os.Remove("x") //nolint // planted want nolintlint
	// TODO: planted want godox
	return fmt.Errorf("lost: %v", err) // planted want errorlint
}
EOF
plant jobs/rules_test.go <<'EOF'
package jobs_test

import (
	"testing"
	"time"
)

func TestSkips(t *testing.T) {
	time.Sleep(1) // planted want forbidigo
	t.Skip("later") // planted want forbidigo
}
EOF
# One line too many: the last is reported.
{
	printf 'package logs\n\n'
	i=3
	while [ $i -lt 301 ]; do
		printf '// line %d\n' $i
		i=$((i + 1))
	done
	printf '// planted want revive\n'
} >logs/long.go
cp logs/long.go logs/long_test.go
sed -i 's/ want revive//; s/^package logs/package logs_test/' logs/long_test.go

# Format the files, so that gofmt reports nothing.
gofmt -w .

grep -rn 'planted want' --include='*.go' . |
	sed -E 's|^\./([^:]*):([0-9]+):.*planted want ([a-z]+).*|\1:\2 \3|' | sort >want.txt

"$linter" run --config .golangci.yml --disable unused,staticcheck,govet,errcheck,unparam,testifylint \
	--output.text.path=report.txt --output.text.print-issued-lines=false --output.text.colors=false ./... \
	>run.txt 2>&1 || true
sed -nE 's|^([^:]*):([0-9]+)(:[0-9]+)?: .*\(([a-z]+)\)$|\1:\2 \4|p' report.txt 2>/dev/null | sort -u >got.txt

if ! diff -u want.txt got.txt; then
	echo "lint-selftest: lines with - were planted but not reported, lines with + were reported but not planted" >&2
	cat run.txt >&2
	cat report.txt >&2 || true
	exit 1
fi
echo "lint-selftest: all $(wc -l <want.txt) planted violations were reported, and no others"
