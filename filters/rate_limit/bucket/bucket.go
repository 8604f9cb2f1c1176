// Package bucket is a token bucket that is kept as 16 bytes, so that it can stand in shared data.
package bucket

import (
	"encoding/binary"
	"math"
	"time"
)

// Rule says how a bucket fills: PerSecond tokens each second, Burst at most.
type Rule struct {
	PerSecond float64
	Burst     float64
}

// Size is that of a stored bucket: the tokens as a float, and the time that they were counted at, both little-endian.
const Size = 16

// Answer is what a request gets.
type Answer struct {
	Admitted  bool
	Remaining uint64        // whole tokens that are left
	Retry     time.Duration // until there is a token; 0 if there is one
	Full      time.Duration // until the bucket is full
}

// Take takes a token at `now` from the stored bucket, and gives the bucket to store in its place. What is no bucket is a
// full one: whoever comes first finds it so.
func (r Rule) Take(stored []byte, now time.Time) (Answer, []byte) {
	tokens, at := r.Burst, now.UnixNano()
	if len(stored) == Size {
		before := math.Float64frombits(binary.LittleEndian.Uint64(stored))
		then := int64(binary.LittleEndian.Uint64(stored[8:]))
		// Clocks of threads may differ a little, and may be set back: time never takes tokens away.
		tokens = before + math.Max(0, float64(at-then)/1e9)*r.PerSecond
		at = max(at, then)
	}
	if !(tokens >= 0) { // also when it is not a number
		tokens = 0
	}
	tokens = math.Min(tokens, r.Burst)
	admitted := tokens >= 1
	if admitted {
		tokens--
	}
	next := make([]byte, Size)
	binary.LittleEndian.PutUint64(next, math.Float64bits(tokens))
	binary.LittleEndian.PutUint64(next[8:], uint64(at))
	answer := Answer{Admitted: admitted, Remaining: uint64(tokens), Full: r.fill(r.Burst - tokens)}
	if tokens < 1 {
		answer.Retry = r.fill(1 - tokens)
	}
	return answer, next
}

func (r Rule) fill(tokens float64) time.Duration {
	return time.Duration(tokens / r.PerSecond * 1e9)
}
