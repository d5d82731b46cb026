package apiserver

import (
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1beta1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kontinue/kontinue/internal/fakecluster/printers"
)

var tableKind = metav1.SchemeGroupVersion.WithKind("Table")

// tableView shows the objects as rows of a table, as for kubectl get.
type tableView struct {
	printer printers.Printer
	include metav1.IncludeObjectPolicy
	whole   wholeView
	headers bool // of the next table: the events of a watch have them once
}

func newTableView(c call, query url.Values) (*tableView, error) {
	opts := &metav1.TableOptions{IncludeObject: metav1.IncludeObjectPolicy(query.Get("includeObject"))}
	if errs := validation.ValidateTableOptions(opts); len(errs) > 0 {
		return nil, tableError(errs)
	}
	return &tableView{
		printer: printers.For(c.res.gvk, c.res.custom), include: opts.IncludeObject,
		whole: wholeView{c.res.gvk}, headers: true,
	}, nil
}

func tableError(errs field.ErrorList) error {
	return apierrors.NewBadRequest(fmt.Sprintf("Unable to convert to Table as requested: %v", errs.ToAggregate()))
}

func (v *tableView) one(f *format, rev *revision) ([]byte, error) {
	return v.table(f, result{items: []*revision{rev}, meta: metav1.ListMeta{ResourceVersion: rev.GetResourceVersion()}})
}

func (v *tableView) many(f *format, found result) ([]byte, error) { return v.table(f, found) }

func (v *tableView) table(f *format, found result) ([]byte, error) {
	table := &metav1.Table{ListMeta: found.meta, Rows: make([]metav1.TableRow, len(found.items))}
	if v.headers {
		table.ColumnDefinitions = v.printer.Columns
		v.headers = false
	}
	for i, rev := range found.items {
		row := v.printer.Row(rev.object)
		var err error
		if row.Object, err = v.object(rev); err != nil {
			return nil, err
		}
		table.Rows[i] = row
	}
	return f.object(tableKind, table)
}

// object returns what the client wants of the object itself.
func (v *tableView) object(rev *revision) (raw runtime.RawExtension, err error) {
	// The end of the initial events of a watch is an annotation, which is never left out.
	_, mark := rev.GetAnnotations()[metav1.InitialEventsAnnotationKey]
	switch {
	case v.include == metav1.IncludeObject:
		raw.Raw, err = v.whole.one(jsonFormat, rev)
	case v.include != metav1.IncludeNone || mark:
		raw.Raw, err = metadataView{}.one(jsonFormat, rev)
	}
	return raw, err
}
