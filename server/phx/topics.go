package phx

import (
	"cmp"
	"slices"
)

// A TopicInfo is what an operator sees of a topic.
type TopicInfo struct {
	Topic       string `json:"topic"`
	Subscribers int    `json:"subscribers"` // on this node
}

// Topics are the topics with the most subscribers on this node, n at most, those with
// the most first; among equals the names decide. It visits every topic, and holds
// nobody up meanwhile.
func (ep *Endpoint) Topics(n int) []TopicInfo {
	top := []TopicInfo{}
	for name, subscribers := range ep.pubsub.Topics() {
		top = append(top, TopicInfo{name, subscribers})
		if len(top) > 2*n+64 {
			top = mostSubscribed(top, n)
		}
	}
	return mostSubscribed(top, n)
}

func mostSubscribed(topics []TopicInfo, n int) []TopicInfo {
	slices.SortFunc(topics, func(a, b TopicInfo) int {
		return cmp.Or(cmp.Compare(b.Subscribers, a.Subscribers), cmp.Compare(a.Topic, b.Topic))
	})
	return topics[:min(max(n, 0), len(topics))]
}
