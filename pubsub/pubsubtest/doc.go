// Package pubsubtest tests adapters of package pubsub: [Run] holds one to all that
// [pubsub.Adapter] promises, whatever engine it uses. A [Network] is an adapter
// without any, for tests of applications on several nodes.
package pubsubtest
