package standalone

import (
	"testing"

	"signalling/pkg/service"
	"signalling/pkg/settings"
	"signalling/pkg/settings/settingstest"
	"signalling/services/gateway"
	"signalling/services/rooms"
)

// The tables in the README are made from the code; `make settings` writes them.
func TestSettingsOfTheReadme(t *testing.T) {
	const readme = "../../README.md"
	settingstest.Block(t, readme, "gateway", &gateway.Config{}, settings.Options{})
	settingstest.Block(t, readme, "rooms", &rooms.Config{}, settings.Options{})
	settingstest.Block(t, readme, "log", &service.LogConfig{}, settings.Options{})
	settingstest.Described(t, &Config{}, settings.Options{Defaults: Defaults})
}
