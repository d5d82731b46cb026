package identity

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"
)

const (
	// maxJobName leaves room for what Kubernetes appends: the Job's name is copied
	// into a label value (63 bytes), and a pod's name adds an index and five
	// random characters, or is cut.
	maxJobName = 52
	// hashChars of base32 carry 65 bits: two steps of one namespace do not collide
	// in practice, and if they did, the owner's UID would distinguish them.
	hashChars = 13
	maxPrefix = maxJobName - 1 - hashChars

	// unnamedPrefix begins the names of steps that the user did not name.
	unnamedPrefix = "step-"
)

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// JobName returns the name of the Job that is the given run of a step. It is a
// pure function of the Execution's name and UID, the step and the run: a prefix
// for people, and a hash that makes it unique. The result is a DNS label of at
// most 52 characters that starts with a letter.
func JobName(e Execution, step string, run int) string {
	return readable(e.Name, step, run) + "-" + hash("kontinue/job/v1", e.Name, string(e.UID), step, strconv.Itoa(run))
}

// RunOf returns the number of the run that a Job's name stands for, and whether it
// is a name of that step at all. A name cannot be edited, as labels and annotations
// can.
func RunOf(e Execution, step, job string) (run int, ok bool) {
	if job == JobName(e, step, 0) {
		return 0, true
	}
	m := runSuffix.FindStringSubmatch(job)
	if m == nil {
		return 0, false
	}
	run, err := strconv.Atoi(m[1])
	return run, err == nil && job == JobName(e, step, run)
}

var runSuffix = regexp.MustCompile(`-r([1-9][0-9]*)-[a-z2-7]+$`)

// SecretName returns the name of the Secret that a Job owns: a function of the Job's name.
func SecretName(job string) string { return job + "-files" }

// StepName returns the name of an unnamed step: its ordinal in the function,
// counted from 1. These names are reserved; see [ValidateStepName].
func StepName(ordinal int) string { return unnamedPrefix + strconv.Itoa(ordinal) }

// hash digests the fields with their lengths, so that ("ab","c") and ("a","bc")
// differ, into 13 characters of lower-case base32.
func hash(fields ...string) string {
	h := sha256.New()
	var size [8]byte
	for _, f := range fields {
		binary.BigEndian.PutUint64(size[:], uint64(len(f)))
		h.Write(size[:])
		h.Write([]byte(f))
	}
	return base32Lower.EncodeToString(h.Sum(nil))[:hashChars]
}

// readable builds the prefix "<execution>-<step>[-r<run>]". When it is too long
// the step keeps at least half of the room: it says more than the Execution's tail.
func readable(execution, step string, run int) string {
	e, s, r := slug(execution), slug(step), ""
	if run > 0 {
		r = "-r" + strconv.Itoa(run)
	}
	if first := e + s; first == "" || first[0] < 'a' || first[0] > 'z' {
		e = strings.TrimSuffix("job-"+e, "-")
	}
	room := maxPrefix - len(r)
	if len(e)+1+len(s) > room {
		s = cut(s, max(room/2, room-1-len(e)))
		e = cut(e, room-1-len(s))
	}
	if s == "" {
		return e + r
	}
	return strings.TrimPrefix(e+"-"+s, "-") + r
}

// slug keeps lower-case ASCII letters and digits and turns every run of other
// characters into one dash, with none at the ends.
func slug(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.Trim(s, "-")
}
