package printers

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"
)

// Printer prints the objects of one kind.
type Printer struct {
	// Columns are the headers. They are shared and must not be modified.
	Columns []metav1.TableColumnDefinition
	row     func(obj metav1.Object) metav1.TableRow
}

// Row returns the row of an object, without the object itself.
func (p Printer) Row(obj metav1.Object) metav1.TableRow { return p.row(obj) }

// For returns the printer of a kind. Custom resources are of kinds that client-go does
// not know.
func For(gvk schema.GroupVersionKind, custom bool) Printer {
	if custom {
		return customPrinter
	}
	if p, ok := byKind[gvk]; ok {
		return p
	}
	return plainPrinter
}

var byKind = map[schema.GroupVersionKind]Printer{
	batchv1.SchemeGroupVersion.WithKind("Job"):          {jobColumns, typed(jobRow)},
	corev1.SchemeGroupVersion.WithKind("Pod"):           {podColumns, typed(podRow)},
	corev1.SchemeGroupVersion.WithKind("ConfigMap"):     {configMapColumns, typed(configMapRow)},
	corev1.SchemeGroupVersion.WithKind("Secret"):        {secretColumns, typed(secretRow)},
	corev1.SchemeGroupVersion.WithKind("Namespace"):     {namespaceColumns, typed(namespaceRow)},
	corev1.SchemeGroupVersion.WithKind("Node"):          {nodeColumns, typed(nodeRow)},
	corev1.SchemeGroupVersion.WithKind("Event"):         {eventColumns, typed(eventRow)},
	coordinationv1.SchemeGroupVersion.WithKind("Lease"): {leaseColumns, typed(leaseRow)},
}

// typed makes a function for one type a printer's. An object of another type has the row
// of a plain printer, with too few cells for the columns.
func typed[T metav1.Object](row func(T) metav1.TableRow) func(metav1.Object) metav1.TableRow {
	return func(obj metav1.Object) metav1.TableRow {
		if t, ok := obj.(T); ok {
			return row(t)
		}
		return nameAndAge(obj)
	}
}

var (
	plainPrinter  = Printer{[]metav1.TableColumnDefinition{nameColumn, ageColumn}, nameAndAge}
	customPrinter = Printer{[]metav1.TableColumnDefinition{nameColumn, customAgeColumn}, nameAndAge}
)

func nameAndAge(obj metav1.Object) metav1.TableRow {
	return cells(obj.GetName(), since(obj.GetCreationTimestamp()))
}

// Columns that most kinds have. The descriptions are those of the API's documentation.
var (
	metaDoc         = metav1.ObjectMeta{}.SwaggerDoc()
	nameColumn      = metav1.TableColumnDefinition{Name: "Name", Type: "string", Format: "name", Description: metaDoc["name"]}
	ageColumn       = column("Age", metaDoc["creationTimestamp"])
	customAgeColumn = metav1.TableColumnDefinition{Name: "Age", Type: "date", Description: metaDoc["creationTimestamp"]}
)

func column(name, description string) metav1.TableColumnDefinition {
	return metav1.TableColumnDefinition{Name: name, Type: "string", Description: description}
}

// wide returns a column of the wide form only.
func wide(name, description string) metav1.TableColumnDefinition {
	c := column(name, description)
	c.Priority = 1
	return c
}

func cells(values ...any) metav1.TableRow { return metav1.TableRow{Cells: values} }

// since returns the time that has passed, in the short form of kubectl.
func since(t metav1.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(t.Time))
}

// or returns the text, or what is shown instead of an empty one.
func or(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}

const none = "<none>"
