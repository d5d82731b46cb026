// Package redact keeps confidential values of a pod template out of the texts of
// errors.
//
// An API server, and even more an admission webhook, quotes in its answer what it
// refuses: environment values, arguments, whole templates. [Of] collects the values of
// a Job's [Hidden] fields, and [Secrets.Hide] replaces them in a text, however it quotes
// them. [Secrets.ErrorText] also removes each value that a validation error (422) quotes
// from the pod template, since the server quotes values that it has defaulted or cut as
// well. The error itself is left as it is: a caller that unwraps it gets the whole answer.
package redact
