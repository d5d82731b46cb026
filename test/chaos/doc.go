// Package chaos holds the tests that inject failures from outside, most of them on a real
// control plane, and check that every step still runs exactly once and returns the right
// result.
//
//   - kill kills worker processes at any instruction.
//   - storm breaks the network between client and API server, and the components of
//     a whole cluster.
//   - follow kills worker processes that write the log of a step and cuts their log
//     streams, on the cluster in memory.
//   - proxy is a reverse proxy that injects network faults, for storm.
//   - internal/testbed starts the control plane and simulates the kubelet,
//     internal/process runs worker processes, internal/history records what happened
//     to every Job, and internal/report counts what was lost, duplicated or wrong.
//
// The command driver runs kill, storm and follow for longer than the tests do:
//
//	go run ./driver kill -kills 300
//	go run ./driver storm -seeds 100
//	go run ./driver follow -lines 1000000 -cuts 200 -kills 3
//
// Everything here but follow needs root and the programs of package cluster. The tests take
// about fifteen minutes: go test -p 1 -timeout 20m ./...
package chaos
