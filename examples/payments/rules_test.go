package main

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/ashlar-go/ashlar/access"
	"github.com/ashlar-go/ashlar/ashlartest"
	"github.com/ashlar-go/ashlar/auth"
	"github.com/ashlar-go/ashlar/examples/payments/internal/hook"
	"github.com/ashlar-go/ashlar/examples/payments/internal/merchant"
	"github.com/ashlar-go/ashlar/examples/payments/internal/payment"
	"github.com/ashlar-go/ashlar/examples/payments/internal/report"
	"github.com/ashlar-go/ashlar/examples/payments/internal/user"
)

// sound says of inputs what their rules cannot: what there is, and who may name
// whom. The caller is an admin.
func sound(in any) {
	if cursor := reflect.ValueOf(in).Elem().FieldByName("Cursor"); cursor.IsValid() {
		cursor.SetZero() // only the app makes one
	}
	switch in := in.(type) {
	case *payment.Authorize:
		in.MerchantID = demoShop
	case *report.Request:
		in.MerchantID, in.From, in.To = "", "2026-11-01", "2026-11-30"
	case *user.Invite:
		in.Role, in.MerchantID = merchant.RoleSupport, ""
	case *auth.NewAPIKey:
		in.Permissions, in.ExpiresAt = []access.Permission{payment.Read}, nil
	case *auth.RemoveTOTP:
		in.Password = "no password of theirs"
	case *hook.Subscription:
		in.MerchantID, in.URL, in.Events = demoShop, "https://93.184.215.14/", []hook.Filter{"*"}
	}
}

// unlimited lets a test call as often as it likes.
func unlimited() []string {
	return []string{"ASHLAR_LIMIT_ADDRESS", "off", "ASHLAR_LIMIT_PRINCIPAL", "off", "ASHLAR_LIMIT_SIGN_IN", "off"}
}

// TestEveryValidInputIsTaken makes hundreds of inputs from the rules of every
// operation, and calls it with them.
func TestEveryValidInputIsTaken(t *testing.T) {
	t.Parallel()
	s := open(t, unlimited()...)
	for _, o := range s.Operations() {
		f := ashlartest.ForOperation(t, o, sound)
		for range 15 {
			in := f.Make()
			r := ashlartest.Call[any](s.admin, o.Spec().Name, in)
			switch status := r.Status(); {
			case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity, status >= http.StatusInternalServerError:
				t.Errorf("%s: %d %s", o.Spec().Name, status, r.Body())
			}
		}
	}
}

// TestEveryRuleIsHeld calls every operation with every neighbour of a valid
// input: one step outside of any rule is refused by its pointer, and the last
// step inside is not.
func TestEveryRuleIsHeld(t *testing.T) {
	t.Parallel()
	s := open(t, unlimited()...)
	for _, o := range s.Operations() {
		ashlartest.ForOperation(t, o, sound).Hold(s.admin, o.Spec().Name)
	}
}
