//go:build !chaosbreak

package chaosbreak

// What can be taken away. See the other file for what each word means.
const (
	Fencing  = false
	Announce = false
	Replay   = false
	Retry    = false
	Latest   = false
)
