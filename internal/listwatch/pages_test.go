package listwatch_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kontinue/kontinue/internal/listwatch"
)

// paging lists n Jobs two to a page, and all of them if there is no limit. fail may
// refuse a request.
func paging(n int, fail func(call int, o metav1.ListOptions) error) (cfg listwatch.Config, asked *[]string) {
	cfg, asked = jobsOf(nil), new([]string)
	cfg.List = func(_ context.Context, o metav1.ListOptions) (runtime.Object, error) {
		*asked = append(*asked, fmt.Sprintf("%s|%s|%d", o.ResourceVersion, o.Continue, o.Limit))
		if err := fail(len(*asked), o); err != nil {
			return nil, err
		}
		first := 0
		_, _ = fmt.Sscanf(o.Continue, "from-%d", &first)
		page := &batchv1.JobList{ListMeta: metav1.ListMeta{ResourceVersion: "9"}}
		for i := first; i < n && (o.Limit == 0 || i < first+2); i++ {
			page.Items = append(page.Items, batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("job-%d", i)}})
		}
		if end := first + len(page.Items); end < n {
			page.Continue, page.ResourceVersion = fmt.Sprintf("from-%d", end), "9"
		}
		return page, nil
	}
	return cfg, asked
}

func always(int, metav1.ListOptions) error { return nil }

// TestListInPages: all pages of the newest state are read; a transient error repeats one
// page; and if the API server no longer has the state of the pages, one list without a
// limit replaces them.
func TestListInPages(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail func(call int, o metav1.ListOptions) error
		want []string
	}{
		"three pages": {always, []string{"||500", "|from-2|500", "|from-4|500"}},
		"a page fails": {
			func(call int, _ metav1.ListOptions) error {
				if call == 2 {
					return apierrors.NewInternalError(io.ErrUnexpectedEOF)
				}
				return nil
			},
			[]string{"||500", "|from-2|500", "|from-2|500", "|from-4|500"},
		},
		"the state has expired": {
			func(_ int, o metav1.ListOptions) error {
				if o.Continue == "from-4" {
					return apierrors.NewResourceExpired("the provided continue parameter is too old")
				}
				return nil
			},
			[]string{"||500", "|from-2|500", "|from-4|500", "||0"},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg, asked := paging(5, tc.fail)
			list, err := listwatch.New(cfg).ListWithContext(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
			require.NoError(t, err, name)
			require.Equal(t, tc.want, *asked, name)
			m, err := meta.ListAccessor(list)
			require.NoError(t, err, name)
			require.Equal(t, "9", m.GetResourceVersion(), "%s: the watch begins where the list was", name)
			require.Empty(t, m.GetContinue(), name)
			require.Equal(t, []string{"job-0", "job-1", "job-2", "job-3", "job-4"}, names(t, list), name)
		})
	}
}

func names(t *testing.T, list runtime.Object) (names []string) {
	t.Helper()
	objects, err := meta.ExtractListWithAlloc(list)
	require.NoError(t, err)
	for _, o := range objects {
		m, err := meta.Accessor(o)
		require.NoError(t, err)
		names = append(names, m.GetName())
	}
	return names
}

// TestKeep: Keep is called for each list, and can replace objects and leave them out.
func TestKeep(t *testing.T) {
	t.Parallel()
	cfg, _ := paging(5, always)
	lists := 0
	cfg.Keep = func() func(runtime.Object) runtime.Object {
		lists++
		seen := 0
		return func(obj runtime.Object) runtime.Object {
			if seen++; seen%2 == 0 {
				return nil
			}
			return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s of list %d", obj.(*batchv1.Job).Name, lists)}}
		}
	}
	lw := listwatch.New(cfg)
	for i := range 2 {
		list, err := lw.ListWithContext(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		n := i + 1
		require.Equal(t, []string{fmt.Sprintf("job-0 of list %d", n), fmt.Sprintf("job-2 of list %d", n), fmt.Sprintf("job-4 of list %d", n)}, names(t, list))
	}
}

// TestEmptyList: most workers start without any Jobs.
func TestEmptyList(t *testing.T) {
	t.Parallel()
	cfg, asked := paging(0, always)
	list, err := listwatch.New(cfg).ListWithContext(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, names(t, list))
	require.Equal(t, []string{"||500"}, *asked)
}
