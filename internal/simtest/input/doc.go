// Package input tests what a client does with its configuration and with the options of
// steps: what it refuses before it sends a request, and what it sends.
package input
