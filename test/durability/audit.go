package durability

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/test/cluster"
)

// Requests are what workers asked for a Job by its name, or to create it: of
// Executions whose worker lives, whose worker is killed again and again, and of
// those that two such workers run at the same time.
type Requests struct{ Undisturbed, Killed, Raced PerJob }

// PerJob sums up the requests for each Job.
type PerJob struct {
	Jobs int
	// Writes and Reads are those of all Jobs, MostWrites and MostReads those of
	// the Job with the most. A write counts when the API server answered it,
	// whatever the answer.
	Writes, Reads, MostWrites, MostReads int
}

// String gives means and maxima.
func (p PerJob) String() string {
	if p.Jobs == 0 {
		return "none"
	}
	mean := func(n int) float64 { return float64(n) / float64(p.Jobs) }
	return fmt.Sprintf("%.2f writes (most %d), %.2f reads (most %d), of %d jobs", mean(p.Writes), p.MostWrites, mean(p.Reads), p.MostReads, p.Jobs)
}

func (p *PerJob) add(writes, reads int) {
	p.Jobs++
	p.Writes += writes
	p.Reads += reads
	p.MostWrites, p.MostReads = max(p.MostWrites, writes), max(p.MostReads, reads)
}

// auditEvent is the part of an audit.k8s.io/v1 Event that is read here.
type auditEvent struct {
	Verb      string
	User      struct{ Username string }
	ObjectRef struct{ Resource, Name, Namespace string }
}

// countRequests reads the API server's audit log. The name of a Job that is
// created is in the log, since the client chose it.
func countRequests(path string, h *history, class func(*Requests, types.UID) *PerJob) (Requests, error) {
	var requests Requests
	file, err := os.Open(path)
	if err != nil {
		return requests, fmt.Errorf("audit log: %w", err)
	}
	defer file.Close()
	writes, reads := map[string]int{}, map[string]int{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e auditEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return requests, fmt.Errorf("audit log: %w", err)
		}
		if e.User.Username != string(cluster.Worker) || e.ObjectRef.Resource != "jobs" || e.ObjectRef.Namespace != namespace {
			continue
		}
		switch e.Verb {
		case "create", "patch", "update", "delete":
			writes[e.ObjectRef.Name]++
		case "get":
			reads[e.ObjectRef.Name]++
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return requests, fmt.Errorf("audit log: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, j := range h.jobs {
		class(&requests, j.execution).add(writes[j.name], reads[j.name])
	}
	return requests, nil
}
