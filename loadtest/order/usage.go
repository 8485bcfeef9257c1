package order

// Usage holds what processes have used. Fields that could not be read are 0.
type Usage struct {
	RSS   int64 `json:"rss"`    // bytes
	CPUNs int64 `json:"cpu_ns"` // user and system
}

// Add adds what others have taken.
func (u *Usage) Add(o Usage) {
	u.RSS += o.RSS
	u.CPUNs += o.CPUNs
}
