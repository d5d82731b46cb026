package bench

import (
	"errors"
	"os"
	"runtime/pprof"
)

// startProfile starts a CPU profile in the file path.cpu, or none if path is empty.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path + ".cpu")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// writeHeap writes a heap profile to the file path.heap.
func writeHeap(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path + ".heap")
	if err != nil {
		return err
	}
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}
