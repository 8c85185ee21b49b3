//go:build !race

package e2e

// forRace has the worker built with the race detector where the tests are.
const forRace = "-race=false"
