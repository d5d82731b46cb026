package apiserver

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/fakecluster/journal"
)

// persisted returns a server with custom resources and a journal of that path.
func persisted(t testing.TB, path string) *Server {
	t.Helper()
	s, _ := newServer(t, Options{Kinds: []Kind{executions, fleets}})
	require.NoError(t, s.Persist(path))
	return s
}

// stored returns the objects of a server as JSON, by resource, namespace and name.
func stored(t testing.TB, s *Server) map[string]string {
	t.Helper()
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string]string{}
	for _, tab := range s.tables {
		for _, rev := range tab.collect("", nil) {
			raw, err := json.Marshal(rev.object)
			require.NoError(t, err)
			require.Equal(t, formatRV(rev.rv), rev.GetResourceVersion())
			out[tab.res.journalName()+" "+rev.GetNamespace()+"/"+rev.GetName()] = string(raw)
		}
	}
	return out
}

// TestPersistEveryKind: an object of every kind is after a restart what it was before.
func TestPersistEveryKind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	s := persisted(t, path)
	for _, r := range s.resources {
		obj := r.newObject()
		obj.SetName("a")
		if r.namespaced {
			obj.SetNamespace(testNamespace)
		}
		obj.SetUID(s.ids.uid())
		obj.SetCreationTimestamp(now())
		obj.SetGeneration(3)
		obj.SetAnnotations(map[string]string{"text": "a\nb\u2028<&\x00\"", "empty": ""})
		stripType(obj)
		_, err := s.insert(call{res: r, verb: "create"}, obj, nil)
		require.NoError(t, err)
	}
	c := s.Clientset()
	job := createJob(t, c, testJob("job"))
	_, err := c.BatchV1().Jobs(testNamespace).Patch(t.Context(), "job", types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	createPod(t, c, testPod("pod"))
	bindPod(t, c, "pod")
	applied, err := c.CoreV1().ConfigMaps(testNamespace).Patch(t.Context(), "applied", types.ApplyPatchType,
		[]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"applied"},"data":{"a":"b"}}`), metav1.PatchOptions{FieldManager: "test"})
	require.NoError(t, err)
	require.NotEmpty(t, applied.ManagedFields)
	custom := dynamicClient(t, s).Resource(executionsGVR).Namespace(testNamespace)
	made, err := custom.Create(t.Context(), execution("exec"), metav1.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, c.BatchV1().Jobs(testNamespace).Delete(t.Context(), "a", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
	before := stored(t, s)
	require.NotContains(t, before, "batch/v1/jobs work/a")
	require.Greater(t, len(before), 40)
	objects := map[string]object{}
	for _, tab := range s.tables {
		for _, rev := range tab.collect("", nil) {
			objects[string(rev.GetUID())] = rev.object
		}
	}
	version := s.ResourceVersion()
	s.Close()

	again := persisted(t, path)
	require.Equal(t, before, stored(t, again))
	for _, tab := range again.tables {
		for _, rev := range tab.collect("", nil) {
			require.True(t, equality.Semantic.DeepEqual(objects[string(rev.GetUID())], rev.object), "%T", rev.object)
		}
	}
	require.Greater(t, again.rv, mustRV(t, version))
	read, err := again.Clientset().BatchV1().Jobs(testNamespace).Get(t.Context(), "job", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, job.UID, read.UID)
	require.Equal(t, int64(2), read.Generation)
	kept, err := again.Clientset().CoreV1().ConfigMaps(testNamespace).Get(t.Context(), "applied", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, applied, kept)
	update, err := again.Clientset().BatchV1().Jobs(testNamespace).Update(t.Context(), read, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.Equal(t, read.ResourceVersion, update.ResourceVersion, "nothing has changed")
	back, err := dynamicClient(t, again).Resource(executionsGVR).Namespace(testNamespace).Get(t.Context(), "exec", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, made, back)
}

func sizeOf(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

func mustRV(t testing.TB, text string) uint64 {
	t.Helper()
	rv, err := parseRV(text)
	require.NoError(t, err)
	return rv
}

// TestPersistIdentities: neither UIDs nor resource versions are used again after a
// restart, also if there were no writes in between.
func TestPersistIdentities(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	seen := map[types.UID]bool{}
	names := map[string]bool{}
	last := uint64(0)
	for start := range 4 {
		s := persisted(t, path)
		require.Greater(t, s.rv, last)
		last = s.rv
		for range 20 {
			made, err := s.Clientset().CoreV1().ConfigMaps(testNamespace).Create(t.Context(), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{GenerateName: fmt.Sprintf("a-%d-", start)},
			}, metav1.CreateOptions{})
			require.NoError(t, err)
			_, suffix, _ := strings.Cut(strings.TrimPrefix(made.Name, "a-"), "-")
			require.False(t, seen[made.UID], "UID %s", made.UID)
			require.False(t, names[suffix], "suffix %s", suffix)
			require.Greater(t, mustRV(t, made.ResourceVersion), last)
			seen[made.UID], names[suffix], last = true, true, mustRV(t, made.ResourceVersion)
		}
		s.Close()
	}
}

// TestPersistExpires: a watch from before the restart is answered with 410 Gone, also of a
// resource that has no objects, as is the next page of a list. One from after it works.
func TestPersistExpires(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	s := persisted(t, path)
	c := s.Clientset()
	for _, name := range []string{"a", "b", "c"} {
		createPod(t, c, testPod(name))
	}
	page, err := c.CoreV1().Pods(testNamespace).List(t.Context(), metav1.ListOptions{Limit: 1})
	require.NoError(t, err)
	require.NotEmpty(t, page.Continue)
	s.Close()

	again := persisted(t, path)
	c = again.Clientset()
	_, err = c.CoreV1().Pods(testNamespace).List(t.Context(), metav1.ListOptions{Limit: 1}) // a page with the same number
	require.NoError(t, err)
	_, err = c.CoreV1().Pods(testNamespace).List(t.Context(), metav1.ListOptions{Limit: 1, Continue: page.Continue})
	require.True(t, apierrors.IsResourceExpired(err), "%v", err)
	for name, open := range map[string]func(metav1.ListOptions) (watch.Interface, error){
		"pods": func(o metav1.ListOptions) (watch.Interface, error) {
			return c.CoreV1().Pods(testNamespace).Watch(t.Context(), o)
		},
		"secrets": func(o metav1.ListOptions) (watch.Interface, error) {
			return c.CoreV1().Secrets(testNamespace).Watch(t.Context(), o)
		},
	} {
		old, err := open(metav1.ListOptions{ResourceVersion: page.ResourceVersion})
		require.NoError(t, err)
		ev := nextEvent(t, old)
		require.Equal(t, watch.Error, ev.Type, name)
		status, ok := ev.Object.(*metav1.Status)
		require.True(t, ok)
		require.Equal(t, int32(http.StatusGone), status.Code, name)
	}
	list, err := c.CoreV1().Pods(testNamespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 3)
	now, err := c.CoreV1().Pods(testNamespace).Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	require.NoError(t, err)
	defer now.Stop()
	createPod(t, c, testPod("d"))
	require.Equal(t, watch.Added, nextEvent(t, now).Type)
}

// TestPersistCut: a journal that was cut at any byte after its snapshot restores the state
// after the last whole write.
func TestPersistCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "objects")
	first := persisted(t, path)
	createJob(t, first.Clientset(), testJob("kept"))
	first.Close()
	s := persisted(t, path)
	type moment struct {
		size  int64
		state map[string]string
	}
	history := []moment{{sizeOf(t, path), stored(t, s)}}
	random := rand.New(rand.NewPCG(1, 2))
	maps := s.Clientset().CoreV1().ConfigMaps(testNamespace)
	for i := range 60 {
		name := fmt.Sprint("m", random.IntN(6))
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"i": fmt.Sprint(i)}}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			if random.IntN(2) == 0 {
				err = maps.Delete(t.Context(), name, metav1.DeleteOptions{})
			} else {
				_, err = maps.Patch(t.Context(), name, types.MergePatchType, fmt.Appendf(nil, `{"data":{"i":"%d"}}`, i), metav1.PatchOptions{})
			}
		}
		require.NoError(t, err)
		history = append(history, moment{sizeOf(t, path), stored(t, s)})
	}
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, history[len(history)-1].size, int64(len(whole)))

	var cuts []int64
	for _, m := range history {
		cuts = append(cuts, m.size, min(m.size+1, int64(len(whole))))
	}
	for range 60 {
		cuts = append(cuts, history[0].size+random.Int64N(int64(len(whole))-history[0].size))
	}
	for i, cut := range cuts {
		copied := filepath.Join(dir, "cut")
		require.NoError(t, os.WriteFile(copied, whole[:cut], 0o600))
		last := sort.Search(len(history), func(i int) bool { return history[i].size > cut }) - 1
		again := persisted(t, copied)
		require.Equal(t, history[last].state, stored(t, again), "cut at byte %d of %d", cut, len(whole))
		if i%10 > 0 {
			continue
		}
		// What comes next is not appended to half a line.
		createJob(t, again.Clientset(), testJob("next"))
		again.Close()
		require.Contains(t, stored(t, persisted(t, copied)), "batch/v1/jobs work/next")
	}
	for _, cut := range []int64{0, 1, history[0].size - 1} {
		copied := filepath.Join(dir, "cut")
		require.NoError(t, os.WriteFile(copied, whole[:cut], 0o600))
		err := New(Options{}).Persist(copied)
		require.ErrorIs(t, err, journal.ErrDamaged, "cut at byte %d", cut)
	}
}

// TestPersistRefused: a write that cannot be stored has no effect, and says why.
func TestPersistRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	s := persisted(t, path)
	c := s.Clientset()
	createJob(t, c, testJob("a"))
	held := testJob("held")
	held.Finalizers = []string{"example.com/held"}
	createJob(t, c, held)
	before, version := stored(t, s), s.ResourceVersion()
	require.NoError(t, s.journal.Close()) // as good as a disk that is full

	jobs := c.BatchV1().Jobs(testNamespace)
	_, err := jobs.Create(t.Context(), testJob("b"), metav1.CreateOptions{})
	errs := []error{err}
	_, err = jobs.Patch(t.Context(), "a", types.MergePatchType, []byte(`{"spec":{"suspend":true}}`), metav1.PatchOptions{})
	errs = append(errs, err,
		jobs.Delete(t.Context(), "a", metav1.DeleteOptions{}),
		jobs.Delete(t.Context(), "held", metav1.DeleteOptions{}))
	for _, err := range errs {
		require.True(t, apierrors.IsInternalError(err), "%v", err)
		require.ErrorContains(t, err, "cannot be stored: "+path)
	}
	require.Equal(t, before, stored(t, s))
	require.Equal(t, version, s.ResourceVersion())
	require.Equal(t, before, stored(t, persisted(t, path)))
}

// TestPersistGrowth: a journal of many writes is written anew while the server runs, and
// nothing is lost.
func TestPersistGrowth(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	s := persisted(t, path)
	c := s.Clientset().CoreV1().ConfigMaps(testNamespace)
	made, err := c.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "large"}, Data: map[string]string{"text": strings.Repeat("x", 1<<20-1000)},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	for i := range 70 {
		made.Data["i"] = fmt.Sprint(i)
		made, err = c.Update(t.Context(), made, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	require.Less(t, sizeOf(t, path), int64(20<<20))
	s.Close()
	require.Equal(t, stored(t, s), stored(t, persisted(t, path)))
}

// TestPersistUnknownKind: objects of a resource that the program does not declare any more
// are not dropped.
func TestPersistUnknownKind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	s := persisted(t, path)
	_, err := dynamicClient(t, s).Resource(executionsGVR).Namespace(testNamespace).Create(t.Context(), execution("exec"), metav1.CreateOptions{})
	require.NoError(t, err)
	s.Close()
	err = New(Options{}).Persist(path)
	require.ErrorContains(t, err, "example.com/v1/executions, such as work/exec")
	require.Contains(t, stored(t, persisted(t, path)), "example.com/v1/executions work/exec")
}

// TestPersistNamespaces: the namespaces that a cluster begins with are stored as well.
func TestPersistNamespaces(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	var uids []types.UID
	for range 2 {
		s := New(Options{RequireNamespaces: true})
		require.NoError(t, s.Persist(path))
		ns, err := s.Clientset().CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{})
		require.NoError(t, err)
		uids = append(uids, ns.UID)
		s.Close()
	}
	require.Equal(t, uids[0], uids[1])
}
