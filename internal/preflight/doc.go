// Package preflight asks the API server, before the first step, whether a worker has the
// rights that it needs.
//
// Without it the first missing right appears when the first step needs it, the next one
// after that is granted, and so on. [Check] sends a SelfSubjectAccessReview for each right,
// which every authenticated user may send (the ClusterRole system:basic-user), and
// a [MissingError] names all that is missing and prints the Role that grants it.
//
// An answer is only believed of a server that authorizes: a fake clientset returns the
// object as it is, which reads as a denial.
package preflight
