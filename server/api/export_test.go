package api

// Routes are what is served for the token.
var Routes = new(api).routes()
