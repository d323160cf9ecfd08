"""Many experiments together: which proxies can be trusted, what moved the north star, what disturbs what."""
