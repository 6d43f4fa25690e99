"""The resource server: it checks the tokens.

door          what the key guard asks: is this token valid, and how is it refused if not
chain         which of the verifiers a token is for
signed        tokens that carry a signature      ── keysets    the public keys of an issuer
introspection tokens that say nothing            ── fetching   asking an issuer, within limits
stays         streams end with the token that opened them
claims        what both kinds must say: from whom, for whom, from when, until when
addresses     under which URLs clients know us   ── metadata   where they learn who issues tokens for us
"""
