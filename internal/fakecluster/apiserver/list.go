package apiserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// maxPages is the number of unfinished paged lists that are kept. An older continue
// token fails with 410, as after an etcd compaction.
const maxPages = 64

// page is the rest of a list that was cut at its limit.
type page struct {
	rv   uint64
	rest []*revision
}

// token is the content of a continue token: which page, of which state, and how far.
type token struct {
	Page  int    `json:"p"`
	RV    uint64 `json:"v"`
	Start int    `json:"s"`
}

// result is a list before it has a Go type.
type result struct {
	items []*revision
	meta  metav1.ListMeta
}

// list returns the objects that match. Every list is served from the latest state,
// which any resourceVersion allows ("not older than"), except for a later page, which
// is of the state of the first one.
func (s *Server) list(c call, opts metav1.ListOptions) (result, error) {
	match, err := matcher(c.res, opts)
	if err != nil {
		return result{}, err
	}
	if opts.Continue != "" {
		return s.nextPage(opts)
	}
	rv, err := parseRV(opts.ResourceVersion)
	if err != nil {
		return result{}, apierrors.NewBadRequest("invalid resource version: " + err.Error())
	}
	items, now := s.snapshot(c.res, c.ns, match)
	if rv > now {
		return result{}, tooLargeRV(rv, now)
	}
	if opts.ResourceVersionMatch == metav1.ResourceVersionMatchExact && rv != now {
		return result{}, apierrors.NewResourceExpired(fmt.Sprintf("The provided resource version is too old: %d (%d)", rv, now))
	}
	out := result{items: items, meta: metav1.ListMeta{ResourceVersion: formatRV(now)}}
	if opts.Limit <= 0 || int64(len(items)) <= opts.Limit {
		return out, nil
	}
	// resourceVersion "0" is answered from the watch cache, which does not page.
	if opts.ResourceVersion == "0" {
		return out, nil
	}
	s.mu.Lock()
	s.pageSeq++
	id := s.pageSeq
	s.pages[id] = page{rv: now, rest: items}
	delete(s.pages, id-maxPages)
	s.mu.Unlock()
	return cutPage(page{rv: now, rest: items}, token{Page: id, RV: now}, opts, match == nil), nil
}

func (s *Server) nextPage(opts metav1.ListOptions) (result, error) {
	var tok token
	raw, err := base64.RawURLEncoding.DecodeString(opts.Continue)
	if err == nil {
		err = json.Unmarshal(raw, &tok)
	}
	if err != nil {
		return result{}, apierrors.NewBadRequest(fmt.Sprintf("invalid continue token: continue key is not valid: %v", err))
	}
	s.mu.RLock()
	p, ok := s.pages[tok.Page]
	s.mu.RUnlock()
	if !ok || p.rv != tok.RV || tok.Start > len(p.rest) {
		return result{}, apierrors.NewResourceExpired("The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.")
	}
	return cutPage(p, tok, opts, opts.LabelSelector == "" && opts.FieldSelector == ""), nil
}

// cutPage returns the page that starts at tok. remainingItemCount is set only
// without selectors, as documented for ListMeta.
func cutPage(p page, tok token, opts metav1.ListOptions, count bool) result {
	rest := p.rest[tok.Start:]
	out := result{items: slices.Clone(rest), meta: metav1.ListMeta{ResourceVersion: formatRV(p.rv)}}
	if opts.Limit <= 0 || int64(len(rest)) <= opts.Limit {
		return out
	}
	out.items = out.items[:opts.Limit]
	raw, err := json.Marshal(token{Page: tok.Page, RV: p.rv, Start: tok.Start + int(opts.Limit)})
	if err != nil {
		panic("apiserver: three integers do not encode: " + err.Error())
	}
	out.meta.Continue = base64.RawURLEncoding.EncodeToString(raw)
	if count {
		left := int64(len(rest)) - opts.Limit
		out.meta.RemainingItemCount = &left
	}
	return out
}

// tooLargeRV is the error for a read that is "not older than" a future version.
// Reflectors recognize it by its cause and fall back to a consistent list.
func tooLargeRV(asked, now uint64) error {
	err := apierrors.NewTimeoutError(fmt.Sprintf("Too large resource version: %d, current: %d", asked, now), 1)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{
		Type:    metav1.CauseTypeResourceVersionTooLarge,
		Message: "Too large resource version",
	}}
	return err
}

func clone(o object) object { return registry.As[object](o.DeepCopyObject()) }
