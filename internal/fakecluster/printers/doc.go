// Package printers shows objects as rows of a table, with the columns that kubectl get
// prints for a real API server (pkg/printers of Kubernetes).
//
// Jobs, pods, ConfigMaps, Secrets, Namespaces, Nodes, Events and Leases have their own
// columns; all other kinds have a name and an age. Rows have the cells of all columns: a
// client leaves out those with a priority, except for the wide form.
package printers
