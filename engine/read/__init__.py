"""The read side: values and rows in, the documents people and scripts read out."""
