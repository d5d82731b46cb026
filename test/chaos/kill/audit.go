package kill

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/cluster"
)

// Requests counts the requests of workers for single Jobs, including the create: in
// Executions without a kill, in those whose only worker is killed repeatedly, in those
// with two such workers at once, and in those with several attempts at once.
type Requests struct{ Undisturbed, Killed, Raced, Overlapped PerJob }

// PerJob sums up the requests for single Jobs.
type PerJob struct {
	Jobs int
	// Writes and Reads are the sums over all Jobs, MostWrites and MostReads the
	// maxima of a single Job. A write counts whatever the response was.
	Writes, Reads, MostWrites, MostReads int
}

// String returns means and maxima.
func (p PerJob) String() string {
	if p.Jobs == 0 {
		return "none"
	}
	mean := func(n int) float64 { return float64(n) / float64(p.Jobs) }
	return fmt.Sprintf("%.2f writes (most %d), %.2f reads (most %d), of %d jobs", mean(p.Writes), p.MostWrites, mean(p.Reads), p.MostReads, p.Jobs)
}

func (p *PerJob) add(c calls) {
	p.Jobs++
	p.Writes += c.writes
	p.Reads += c.reads
	p.MostWrites, p.MostReads = max(p.MostWrites, c.writes), max(p.MostReads, c.reads)
}

// calls are the requests for one Job.
type calls struct{ writes, reads int }

// auditEvent is the part of an audit.k8s.io/v1 Event that is needed here.
type auditEvent struct {
	Verb      string
	User      struct{ Username string }
	ObjectRef struct{ Resource, Name, Namespace string }
}

// readAudit counts the workers' requests for each Job by name. The log has the name
// also for a create, since the client chose it.
func readAudit(log io.Reader) (map[string]calls, error) {
	byJob := map[string]calls{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e auditEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, err
		}
		if e.User.Username != string(cluster.Worker) || e.ObjectRef.Resource != "jobs" || e.ObjectRef.Namespace != namespace {
			continue
		}
		c := byJob[e.ObjectRef.Name]
		switch e.Verb {
		case "create", "patch", "update", "delete":
			c.writes++
		case "get":
			c.reads++
		}
		byJob[e.ObjectRef.Name] = c
	}
	if err := lines.Err(); err != nil && !errors.Is(err, fs.ErrClosed) {
		return nil, err
	}
	return byJob, nil
}

// countRequests sums up the requests in the audit log by the kind of Execution.
func (r *runner) countRequests(path string) (requests Requests, err error) {
	log, err := os.Open(path)
	if err != nil {
		return requests, fmt.Errorf("audit log: %w", err)
	}
	defer log.Close()
	byJob, err := readAudit(log)
	if err != nil {
		return requests, fmt.Errorf("audit log: %w", err)
	}
	for _, j := range r.bed.History.Jobs(func(*history.Job) bool { return true }) {
		if j.Deleted {
			continue // a later Job may have had its name
		}
		of := &requests.Killed
		switch e := r.byUID[j.Execution]; {
		case e.undisturbed:
			of = &requests.Undisturbed
		case e.overlap:
			of = &requests.Overlapped
		case e.workers > 1:
			of = &requests.Raced
		}
		of.add(byJob[j.Name])
	}
	return requests, nil
}
