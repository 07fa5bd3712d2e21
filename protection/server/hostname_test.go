package server

import (
	"strings"
	"testing"

	"github.com/karbor/karbor/protection"
)

// TestHostNameThatAnOlderCloudMakesIsToldWhereItDiffers has a cloud that does not show the host name.
func TestHostNameThatAnOlderCloudMakesIsToldWhereItDiffers(t *testing.T) {
	long := strings.Repeat("a", 70)
	for name, c := range map[string]struct {
		host, name string
		told       bool
	}{
		"of the name":                      {"shop", "shop", false},
		"of a name with other characters":  {"my-shop-1", "My Shop_1!", false},
		"of a name with dots":              {"shop-example-org", "shop.example.org", false},
		"of a name with dots, older":       {"shop.example.org", "shop.example.org", false},
		"of a name with other scripts":     {"shop", "shopшоп", false},
		"of a name that ends in Latin":     {"shop", strings.Repeat("ш", 60) + "shop", false},
		"of a name that is too long":       {long[:63], long, false},
		"chosen":                           {"db-1", "shop", true},
		"chosen, and the name has nothing": {"db-1", "магазин", true},
		"of the name that it was made by":  {"shop", "shop-old", true},
		"made up, as the name has nothing": {"Server-0c7b1a2e-5d0c-4a86-9f1a-0a6c1f9e7b01", "магазин", false},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			b := &builder{doc: document{Name: c.name, Hostname: c.host}, call: &protection.Call{
				NotKept: func(sentence string) { told = append(told, sentence) }}}
			b.hostNotKept("")
			has := strings.Contains(strings.Join(told, "\n"), `host name "`+c.host+`"`)
			if has != c.told || len(told) > 0 != c.told {
				t.Errorf("the tenant is told %q", told)
			}
		})
	}
}
