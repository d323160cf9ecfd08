"""Any experiment from a file: a CSV or Parquet table in, readings and a verdict out, without a database server."""
