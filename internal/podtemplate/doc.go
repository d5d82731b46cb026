// Package podtemplate merges the pod template of a step over one that is the base of all
// steps, as a strategic merge patch does, and says what such a base must not have.
//
// A base adds no containers: one named [DefaultContainer] in it is the base of every
// container of the step, and no other is allowed. What the step sets takes precedence.
// Fields of structs and keys of maps are merged, and lists as kubectl merges them: by
// their key, such as the name of a variable, or not at all, such as tolerations.
package podtemplate
