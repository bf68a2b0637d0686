// Package threats holds the table of SECURITY.md against the code: every test and every setting that it names exists, and every
// test is known to fail when the control that it stands for is removed. `make threats` removes one after the other, in a copy
// of the repository, and says which tests did not notice. It has no code outside of its tests.
package threats
