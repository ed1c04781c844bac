"""glam: does a sparse mixture-of-experts language model beat a dense one?"""
