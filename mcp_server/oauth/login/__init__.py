"""The pages on which a person signs in and decides.

    app          Login: its routes, and the address to which `/authorize` sends a browser
    options      what the operator decides about the pages
    desk         what every page needs: the form, who is there, is the post our own page's, the answer
    deciding, signing_in, leaving_for, signing_out
                 the pages' handlers
    pages, style, shown
                 HTML, its sheet and headers, and the cleaning of what strangers call themselves
    browsers     cookies, sessions and the tokens in forms
    tries        how often somebody may guess
    remembered   who has agreed to what before
    ways         who a person is: by one of
        users, passwords, totp, locker
                                     an account of this server
        oidc, identity, github, upstream
                                     an account elsewhere
        ambient                      a proxy's header, the developer's own function, nobody at all (development)
    opening      settings → a way

Must not know codes, tokens and clients: `mcp_server.oauth.approvals` is all it sees of them. `users`, `passwords`,
`totp` and `locker` do not know HTTP, since the command uses them too.
"""
