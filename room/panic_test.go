package room_test

import (
	"testing"

	"github.com/ashlar-go/ashlar/room"
)

// brittle is something that cannot be read without harm.
type brittle struct{}

func (brittle) MarshalJSON() ([]byte, error) { return []byte(`"brittle"`), nil }

func (*brittle) UnmarshalJSON([]byte) error { panic("it broke") }

const vitrine room.Kind[struct{}, brittle] = "vitrine"

// A panic of what is said is that of who listens, who may recover from it.
func TestAPanicIsTheListeners(t *testing.T) {
	t.Parallel()
	h, err := room.New(room.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first one reads it, and one who comes later
		func() {
			defer func() {
				if cause := recover(); cause != "it broke" {
					t.Errorf("the listener recovered %v", cause)
				}
			}()
			for item := range vitrine.Watch(t.Context(), h, "glass") {
				if item.What == room.Here {
					if err := vitrine.Say(h, "glass", "ann", brittle{}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}()
	}
	if s := h.Stats(); s.Listeners != 0 || s.Rooms != 0 {
		t.Errorf("left behind: %+v", s)
	}
}
