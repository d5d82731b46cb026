package apiserver

import (
	"fmt"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// watch opens a watch with the API server's semantics of resourceVersion:
//
//   - unset or "0": the present objects as ADDED, then changes;
//   - n: changes after n, or 410 if the history does not reach back to n;
//   - sendInitialEvents (KEP-3157): the present objects, a bookmark with the
//     annotation k8s.io/initial-events-end, then changes.
//
// The caller runs the watcher.
func (s *Server) watch(c call, opts metav1.ListOptions) (*watcher, error) {
	match, err := matcher(c.res, opts)
	if err != nil {
		return nil, err
	}
	rv, err := parseRV(opts.ResourceVersion)
	if err != nil {
		return nil, internal(err.Error())
	}
	initial := opts.ResourceVersion == "" || opts.ResourceVersion == "0"
	list := opts.SendInitialEvents != nil && *opts.SendInitialEvents
	if opts.SendInitialEvents != nil {
		if s.opts.DisableWatchList {
			return nil, invalidOptions("ListOptions", field.ErrorList{field.Forbidden(field.NewPath("sendInitialEvents"),
				"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")})
		}
		if opts.ResourceVersionMatch != metav1.ResourceVersionMatchNotOlderThan {
			return nil, invalidOptions("ListOptions", field.ErrorList{field.Forbidden(field.NewPath("resourceVersionMatch"),
				"sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")})
		}
		initial = list
	}
	w := &watcher{
		s:     s,
		info:  WatchInfo{User: c.user, Resource: c.res.gvr.Resource, Namespace: c.ns, LabelSelector: opts.LabelSelector},
		match: match,
		opts:  opts,
		wake:  make(chan struct{}, 1),
		quit:  make(chan struct{}),
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, apierrors.NewServiceUnavailable("apiserver is shutting down")
	}
	t := s.table(c.res)
	w.t = t
	switch {
	case initial:
		for _, o := range t.collect(c.ns, match) {
			w.push(pending{kind: watch.Added, rev: o})
		}
		if list && opts.AllowWatchBookmarks {
			w.push(s.newBookmark(t.res, map[string]string{metav1.InitialEventsAnnotationKey: "true"}))
		}
	case rv < t.compacted:
		err := apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", rv, t.compacted))
		if s.expireAtStart.Load() {
			return nil, err
		}
		// The real server has sent its 200 by the time it finds out.
		w.expire(err)
	default:
		for _, ch := range t.since(rv) {
			w.offer(ch)
		}
	}
	t.watchers = append(t.watchers, w)
	s.stats.opened(w.info)
	return w, nil
}

// unregister takes w out of its table when it has ended.
func (s *Server) unregister(w *watcher) {
	w.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(w.t.watchers, w); i >= 0 {
		w.t.watchers = slices.Delete(w.t.watchers, i, i+1)
	}
	s.stats.closed(w.info)
}

// parseRV reads a resource version; "" is 0.
func parseRV(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	rv, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, field.Invalid(field.NewPath("resourceVersion"), s, err.Error())
	}
	return rv, nil
}
