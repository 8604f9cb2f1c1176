package bucket

import (
	"bytes"
	"testing"
	"time"
)

var start = time.Unix(1000, 0)

func TestTakesUntilItIsEmptyAndFillsWithTime(t *testing.T) {
	rule := Rule{PerSecond: 2, Burst: 3}
	var stored []byte
	var answer Answer
	for i, remaining := range []uint64{2, 1, 0} {
		if answer, stored = rule.Take(stored, start); !answer.Admitted || answer.Remaining != remaining {
			t.Fatalf("%d: %+v", i, answer)
		}
	}
	answer, stored = rule.Take(stored, start)
	if answer.Admitted || answer.Retry != 500*time.Millisecond || answer.Full != 1500*time.Millisecond {
		t.Fatalf("%+v", answer)
	}
	if answer, stored = rule.Take(stored, start.Add(499*time.Millisecond)); answer.Admitted {
		t.Fatalf("%+v", answer)
	}
	if answer, stored = rule.Take(stored, start.Add(501*time.Millisecond)); !answer.Admitted {
		t.Fatalf("%+v", answer)
	}
	// It never holds more than its burst.
	if answer, _ = rule.Take(stored, start.Add(time.Hour)); answer.Remaining != 2 || answer.Full != 500*time.Millisecond {
		t.Fatalf("%+v", answer)
	}
}

func TestAClockThatGoesBackTakesNothingAway(t *testing.T) {
	rule := Rule{PerSecond: 1, Burst: 2}
	_, stored := rule.Take(nil, start)
	answer, stored := rule.Take(stored, start.Add(-time.Hour))
	if !answer.Admitted {
		t.Fatalf("%+v", answer)
	}
	if answer, _ = rule.Take(stored, start); answer.Admitted {
		t.Fatalf("the hour has been counted: %+v", answer)
	}
}

func TestBytesThatAreNoBucketAreAFullOne(t *testing.T) {
	rule := Rule{PerSecond: 1, Burst: 2}
	for _, stored := range [][]byte{nil, {}, []byte("7"), bytes.Repeat([]byte{1}, Size+1)} {
		if answer, next := rule.Take(stored, start); !answer.Admitted || answer.Remaining != 1 || len(next) != Size {
			t.Fatalf("%v: %+v", stored, answer)
		}
	}
	// Not a number: empty, and it fills.
	stored := bytes.Repeat([]byte{0xff}, 8)
	stored = append(stored, make([]byte, 8)...)
	if _, next := rule.Take(stored, time.Unix(0, 0)); len(next) != Size {
		t.Fatal("no bucket")
	}
}
