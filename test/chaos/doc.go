// Package chaos holds the tests that inject failures on a real control plane and
// check that every step still runs exactly once and returns the right result.
//
//   - kill kills worker processes at any instruction.
//   - storm breaks the network between client and API server, and the components of
//     a whole cluster.
//   - proxy is a reverse proxy that injects network faults, for storm.
//   - internal/testbed starts the control plane and simulates the kubelet,
//     internal/history records what happened to every Job, and internal/report
//     counts what was lost, duplicated or wrong.
//
// The command driver runs kill and storm for longer than the tests do:
//
//	go run ./driver kill -kills 300
//	go run ./driver storm -seeds 100
//
// Everything here needs root and the programs of package cluster. The tests take
// about fifteen minutes: go test -p 1 -timeout 20m ./...
package chaos
