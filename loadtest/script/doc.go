// Package script is the language of scenario files: what the users of an application
// that speaks Phoenix Channels do.
//
// [Read] makes a [Script] of YAML, or says in which line it cannot be meant. Values
// of a script are templates ([Text], [Payload]); what they stand for is known when a
// user comes to them ([Scope]). The stages of a script are arithmetic: see
// [Script.At].
//
// It is pure: it is given the file and the table of users as bytes, and starts
// nothing. A Script does not change once it is read, so many users may share one.
package script
