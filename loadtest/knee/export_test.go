package knee

// Wilson is looked at by the tests of its interval.
var Wilson = wilson
