"""The contract of the open SDKs in their own terms: shares of the whole as floats, weights that need not be exact."""
