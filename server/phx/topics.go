package phx

import (
	"cmp"
	"slices"
)

// A TopicInfo describes a topic to an operator.
type TopicInfo struct {
	Topic       string `json:"topic"`
	Subscribers int    `json:"subscribers"` // on this node
}

// Topics returns at most n topics, those with the most subscribers on this node
// first, and topics of equal size by name. It visits every topic without
// delaying other work.
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
